// Apps that hide pictures, and their stores.
// How rules are written and tested: rules/README.md

rule galleryvault_store : vaults
{
    meta:
        description = "file in the hidden store of GalleryVault"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_path = "/.galleryvault_DoNotDelete_"
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
        scope = "start"
        needs_path = "/.keepsafe/, /.keepsafe2/"
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
        scope = "start"
        needs_path = "/.privacy_safe/"
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
        scope = "start"
        needs_path = "/.MySecurityData/dont_remove/"
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
        scope = "start"
        needs_path = "/ProgramData/Android/Language/.fr/"
        example = "a.jpg"
    condition:
        filepath contains "/ProgramData/Android/Language/.fr/"
}
