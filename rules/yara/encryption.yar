// Encrypted containers, archives and keys, and the programs that make them.
// How rules are written and tested: rules/README.md

rule luks_volume : encryption
{
    meta:
        description = "LUKS encrypted volume"
        author = "forensic-triage"
        reference = "https://gitlab.com/cryptsetup/cryptsetup/-/wikis/Specification"
        scope = "head"
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
        scope = "head"
        example = "stick.img"
    strings:
        $signature = "-FVE-FS-"
    condition:
        $signature at 3
}

rule bitlocker_recovery_key : encryption
{
    meta:
        description = "text with a BitLocker recovery key"
        author = "forensic-triage"
        reference = "https://learn.microsoft.com/windows/security/operating-system-security/data-protection/bitlocker/recovery-overview"
        scope = "head"
        example = "BitLocker Recovery Key.txt"
    strings:
        $title = "BitLocker" ascii wide
        $key = /([0-9]{6}-){7}[0-9]{6}/ ascii wide
    condition:
        $title and $key
}

rule veracrypt_settings : encryption
{
    meta:
        description = "VeraCrypt settings"
        author = "forensic-triage"
        reference = "https://veracrypt.io/en/Documentation.html"
        scope = "head"
        example = "Configuration.xml"
    strings:
        $root = "<VeraCrypt>"
        $configuration = "<configuration>"
    condition:
        all of them and $root in (0 .. 128)
}

rule veracrypt_history : encryption
{
    meta:
        description = "VeraCrypt list of volumes that were opened"
        author = "forensic-triage"
        reference = "https://veracrypt.io/en/Documentation.html"
        scope = "head"
        example = "History.xml"
    strings:
        $root = "<VeraCrypt>"
        $history = "<history>"
    condition:
        all of them and $root in (0 .. 128)
}

rule truecrypt_settings : encryption
{
    meta:
        description = "TrueCrypt settings"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        example = "Configuration.xml"
    strings:
        $root = "<TrueCrypt>"
        $configuration = "<configuration>"
    condition:
        all of them and $root in (0 .. 128)
}

rule pgp_private_key : encryption
{
    meta:
        description = "OpenPGP private key in text form"
        author = "forensic-triage"
        reference = "https://www.rfc-editor.org/rfc/rfc9580"
        scope = "head"
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
        scope = "head"
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
        scope = "head"
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
        scope = "head"
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
        scope = "head"
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
        scope = "head"
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
        scope = "head"
        example = "a.rar"
    strings:
        $v4 = { 52 61 72 21 1A 07 00 ?? ?? 73 }
        $v5 = { 52 61 72 21 1A 07 01 00 }
    condition:
        ($v4 at 0 and uint16(10) & 0x80 == 0x80) or ($v5 at 0 and uint8(13) == 4)
}
