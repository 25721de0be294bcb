// Apps that hide pictures, and their stores.
// How rules are written and tested: rules/README.md

rule android_keepsafe : vaults installed_app
{
    meta:
        description = "Keepsafe photo vault in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.kii.safe"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.kii.safe" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_galleryvault : vaults installed_app
{
    meta:
        description = "GalleryVault in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.thinkyeah.galleryvault"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.thinkyeah.galleryvault" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_vaulty : vaults installed_app
{
    meta:
        description = "Vaulty in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.theronrogers.vaultyfree"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.theronrogers.vaultyfree" fullword
        $p2 = "com.theronrogers.vaultypro" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_calculator_vaults : vaults installed_app
{
    meta:
        description = "a vault that looks like a calculator in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.hld.anzenbokusucal"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.hld.anzenbokusucal" fullword
        $p2 = "com.flatfish.cal.privacy" fullword
        $p3 = "com.calculator.vault.gallery.locker.hide.data" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_sgallery : vaults installed_app
{
    meta:
        description = "SGallery photo vault in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.hld.anzenbokusu"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.hld.anzenbokusu" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_hide_it_pro : vaults installed_app
{
    meta:
        description = "Hide It Pro in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.smartanuj.hideitpro" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_applock : vaults installed_app
{
    meta:
        description = "AppLock in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.domobile.applock"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.domobile.applock" fullword
        $p2 = "com.domobile.applockwatcher" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule galleryvault_store : vaults
{
    meta:
        description = "file in the hidden store of GalleryVault"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "a.jpg"
    condition:
        filepath icontains "/.galleryvault_DoNotDelete_"
}

rule keepsafe_store : vaults
{
    meta:
        description = "file in the hidden store of Keepsafe"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "manifest.json"
    condition:
        filepath contains "/.keepsafe/" or filepath contains "/.keepsafe2/"
}

rule anzenbokusu_store : vaults
{
    meta:
        description = "file in the hidden store of SGallery and its calculator"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "a.jpg"
    condition:
        filepath contains "/.privacy_safe/"
}

rule applock_store : vaults
{
    meta:
        description = "file in the hidden store of AppLock"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "a.jpg"
    condition:
        filepath contains "/.MySecurityData/dont_remove/"
}

rule hide_it_pro_store : vaults
{
    meta:
        description = "file in the hidden store of Hide It Pro"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "a.jpg"
    condition:
        filepath contains "/ProgramData/Android/Language/.fr/"
}
