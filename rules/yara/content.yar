// Rules that need more than the first 256 KiB of a file; what a rule states it needs spares most files the search.
// How rules are written and tested: rules/README.md

rule ed2k_link : p2p
{
    meta:
        description = "link to a file in the eDonkey network"
        author = "forensic-triage"
        reference = "https://en.wikipedia.org/wiki/Ed2k_URI_scheme"
        needs_text = "ed2k://|file|"
        example = "links.txt"
    strings:
        $link = /ed2k:\/\/\|file\|[^|\r\n]{1,255}\|[0-9]{1,14}\|[0-9a-fA-F]{32}\|/
    condition:
        $link
}

rule sevenzip_encrypted_names : encryption
{
    meta:
        description = "7z archive whose list of names is encrypted (archives of up to one window)"
        author = "forensic-triage"
        reference = "https://github.com/ip7z/7zip/blob/main/DOC/7zFormat.txt"
        needs_start = "7z\\xbc\\xaf\\x27\\x1c"
        example = "a.7z"
    strings:
        $magic = { 37 7A BC AF 27 1C }
        $aes = { 24 06 F1 07 01 }
    condition:
        $magic at 0 and filesize > 64 and $aes in (filesize - 320 .. filesize)
}

rule tor_onion_address : anonymisers
{
    meta:
        description = "address of a Tor onion service (version 3)"
        author = "forensic-triage"
        reference = "https://spec.torproject.org/rend-spec/encoding-onion-addresses.html"
        needs_text = "d.onion"
        example = "links.txt"
    strings:
        $address = /[a-z2-7]{55}d\.onion/ fullword
    condition:
        $address
}

rule sdelete_licence_accepted : wiping
{
    meta:
        description = "registry hive of a user who accepted the licence of SDelete"
        author = "forensic-triage"
        reference = "https://learn.microsoft.com/sysinternals/downloads/sdelete"
        needs_start = "regf"
        example = "NTUSER.DAT"
    strings:
        $key = { 07 00 00 00 53 44 65 6C 65 74 65 }
        $value = "EulaAccepted"
    condition:
        uint32be(0) == 0x72656766 and all of them
}

rule dban_disc : wiping
{
    meta:
        description = "image of the DBAN wiping disc"
        author = "forensic-triage"
        reference = "https://dban.org"
        needs_start = ".{32769}CD001"
        example = "dban.iso"
    strings:
        $iso = "CD001"
        $name = "Darik's Boot and Nuke"
    condition:
        $iso at 32769 and $name
}
