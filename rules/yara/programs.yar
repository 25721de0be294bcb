// Programs for Windows, by their content as a whole; applied to files of that type only.
// How rules are written and tested: rules/README.md

rule veracrypt_program : encryption
{
    meta:
        description = "VeraCrypt program or driver"
        author = "forensic-triage"
        reference = "https://github.com/veracrypt/VeraCrypt/blob/master/src/Common/Apidrvr.h"
        types = "application/vnd.microsoft.portable-executable, application/x-dosexec, application/octet-stream"
        needs_wide = "Device\\VeraCrypt"
        example = "veracrypt.sys"
    strings:
        $device = "\\Device\\VeraCrypt" wide
    condition:
        uint16(0) == 0x5A4D and $device
}

rule truecrypt_program : encryption
{
    meta:
        description = "TrueCrypt program or driver"
        author = "forensic-triage"
        reference = "format observation"
        types = "application/vnd.microsoft.portable-executable, application/x-dosexec, application/octet-stream"
        needs_wide = "Device\\TrueCrypt"
        example = "truecrypt.sys"
    strings:
        $device = "\\Device\\TrueCrypt" wide
    condition:
        uint16(0) == 0x5A4D and $device
}

rule ccleaner_program : wiping
{
    meta:
        description = "CCleaner program"
        author = "forensic-triage"
        reference = "https://www.ccleaner.com"
        types = "application/vnd.microsoft.portable-executable, application/x-dosexec, application/octet-stream"
        needs_text = "Software\\Piriform\\CCleaner"
        needs_wide = "Software\\Piriform\\CCleaner"
        example = "CCleaner64.exe"
    strings:
        $key = "Software\\Piriform\\CCleaner" ascii wide nocase
    condition:
        uint16(0) == 0x5A4D and $key
}

rule sdelete_program : wiping
{
    meta:
        description = "SDelete program"
        author = "forensic-triage"
        reference = "https://learn.microsoft.com/sysinternals/downloads/sdelete"
        types = "application/vnd.microsoft.portable-executable, application/x-dosexec, application/octet-stream"
        needs_text = "SDelete is set for, Secure file delete"
        needs_wide = "SDelete is set for, Secure file delete"
        example = "sdelete64.exe"
    strings:
        $banner = "SDelete is set for" ascii wide
        $title = "Secure file delete" ascii wide
    condition:
        uint16(0) == 0x5A4D and any of them
}
