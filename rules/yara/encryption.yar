// Encrypted containers, archives and keys, and the programs that make them.
// How rules are written and tested: rules/README.md

rule luks_volume : encryption
{
    meta:
        description = "LUKS encrypted volume"
        author = "forensic-triage"
        reference = "https://gitlab.com/cryptsetup/cryptsetup/-/wikis/Specification"
        scope = "start"
        needs_start = "LUKS\\xba\\xbe\\x00"
        example = "container.luks"
    strings:
        $header = { 4C 55 4B 53 BA BE 00 (01 | 02) }
    condition:
        $header at 0
}

rule bitlocker_volume : encryption
{
    meta:
        description = "BitLocker encrypted volume"
        author = "forensic-triage"
        reference = "https://github.com/libyal/libbde/tree/main/documentation"
        scope = "start"
        needs_start = "...-FVE-FS-"
        example = "stick.img"
    strings:
        $signature = "-FVE-FS-"
    condition:
        $signature at 3
}

rule pgp_private_key : encryption
{
    meta:
        description = "OpenPGP private key in text form"
        author = "forensic-triage"
        reference = "https://www.rfc-editor.org/rfc/rfc9580"
        scope = "start"
        needs_start = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
        example = "secret.asc"
    strings:
        $begin = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
    condition:
        $begin at 0
}

rule pgp_message : encryption
{
    meta:
        description = "OpenPGP encrypted message in text form"
        author = "forensic-triage"
        reference = "https://www.rfc-editor.org/rfc/rfc9580"
        scope = "start"
        needs_start = "-----BEGIN PGP MESSAGE-----"
        example = "note.asc"
    strings:
        $begin = "-----BEGIN PGP MESSAGE-----"
    condition:
        $begin at 0
}

rule gnupg_keybox : encryption
{
    meta:
        description = "GnuPG key ring"
        author = "forensic-triage"
        reference = "https://github.com/gpg/gnupg/blob/master/kbx/keybox-blob.c"
        scope = "start"
        needs_start = ".{8}KBXf"
        example = "pubring.kbx"
    strings:
        $magic = "KBXf"
    condition:
        $magic at 8
}

rule axcrypt_file : encryption
{
    meta:
        description = "file encrypted with AxCrypt"
        author = "forensic-triage"
        reference = "https://axcrypt.net"
        scope = "start"
        needs_start = "\\xc0\\xb9\\x07\\x2e"
        example = "a-jpg.axx"
    strings:
        $guid = { C0 B9 07 2E 4F 93 F1 46 A0 15 79 2C A1 D9 E8 21 }
    condition:
        $guid at 0
}

rule keepass_database : encryption
{
    meta:
        description = "KeePass password database"
        author = "forensic-triage"
        reference = "https://keepass.info/help/kb/kdbx.html"
        scope = "start"
        needs_start = "\\x03\\xd9\\xa2\\x9a"
        example = "Passwords.kdbx"
    strings:
        $magic = { 03 D9 A2 9A (65 | 66 | 67) FB 4B B5 }
    condition:
        $magic at 0
}

rule zip_encrypted_member : encryption
{
    meta:
        description = "ZIP archive whose first member is encrypted"
        author = "forensic-triage"
        reference = "https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT"
        scope = "start"
        needs_start = "PK\\x03\\x04"
        example = "a.zip"
    condition:
        uint32(0) == 0x04034B50 and uint16(6) & 1 == 1
}

rule rar_encrypted_names : encryption
{
    meta:
        description = "RAR archive whose list of names is encrypted"
        author = "forensic-triage"
        reference = "https://www.rarlab.com/technote.htm"
        scope = "start"
        needs_start = "Rar!\\x1a\\x07"
        example = "a.rar"
    strings:
        $v4 = { 52 61 72 21 1A 07 00 ?? ?? 73 }
        $v5 = { 52 61 72 21 1A 07 01 00 }
    condition:
        ($v4 at 0 and uint16(10) & 0x80 == 0x80) or ($v5 at 0 and uint8(13) == 4)
}
