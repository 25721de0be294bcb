// Programs that destroy data.
// How rules are written and tested: rules/README.md

rule ccleaner_settings : wiping
{
    meta:
        description = "CCleaner settings"
        author = "forensic-triage"
        reference = "https://support.ccleaner.com"
        scope = "head"
        example = "ccleaner.ini"
    strings:
        $app = /(^|\n)\(App\)[^\r\n=]{3,60}=/
    condition:
        filename iequals "ccleaner.ini" and $app
}

rule bleachbit_settings : wiping
{
    meta:
        description = "BleachBit settings"
        author = "forensic-triage"
        reference = "https://docs.bleachbit.org"
        scope = "head"
        example = "bleachbit.ini"
    strings:
        $section = "[bleachbit]"
    condition:
        filename iequals "bleachbit.ini" and $section
}

rule eraser_tasks : wiping
{
    meta:
        description = "Eraser list of tasks"
        author = "forensic-triage"
        reference = "https://eraser.heidi.ie"
        scope = "head"
        example = "Task List.ersy"
    condition:
        filename matches /^Task List\.ers[xy]$/i
}

rule android_wiping_apps : wiping installed_app
{
    meta:
        description = "a wiping app in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.projectstar.ishredder.android.standard"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.projectstar.ishredder.android.standard" fullword
        $p2 = "com.palmtronix.shreddit.v1" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}
