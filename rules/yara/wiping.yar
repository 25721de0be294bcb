// Programs that destroy data.
// How rules are written and tested: rules/README.md

rule eraser_tasks : wiping
{
    meta:
        description = "Eraser list of tasks"
        author = "forensic-triage"
        reference = "https://eraser.heidi.ie"
        scope = "start"
        needs_name = "Task List.ers?"
        example = "Task List.ersy"
    condition:
        filename matches /^Task List\.ers[xy]$/i
}
