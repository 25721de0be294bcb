// Programs that destroy data.
// How rules are written and tested: rules/README.md

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
