// Rules that look through the first 256 KiB of a file, whatever its type.
// How rules are written and tested: rules/README.md

rule wireguard_profile : anonymisers
{
    meta:
        description = "WireGuard profile"
        author = "forensic-triage"
        reference = "https://www.wireguard.com"
        scope = "head"
        needs_text = "[Interface]"
        example = "wg0.conf"
    strings:
        $interface = "[Interface]"
        $key = /(^|\n)[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+\/]{43}=/
        $peer = "[Peer]"
    condition:
        all of them
}

rule bitlocker_recovery_key : encryption
{
    meta:
        description = "text with a BitLocker recovery key"
        author = "forensic-triage"
        reference = "https://learn.microsoft.com/windows/security/operating-system-security/data-protection/bitlocker/recovery-overview"
        scope = "head"
        needs_text = "BitLocker"
        needs_wide = "BitLocker"
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
        needs_start = ".{0,128}<VeraCrypt>"
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
        needs_start = ".{0,128}<VeraCrypt>"
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
        needs_start = ".{0,128}<TrueCrypt>"
        example = "Configuration.xml"
    strings:
        $root = "<TrueCrypt>"
        $configuration = "<configuration>"
    condition:
        all of them and $root in (0 .. 128)
}

rule bittorrent_metainfo : p2p
{
    meta:
        description = "BitTorrent file that describes a download"
        author = "forensic-triage"
        reference = "https://www.bittorrent.org/beps/bep_0003.html"
        scope = "head"
        needs_start = "d"
        example = "film.torrent"
    strings:
        $length = "12:piece lengthi"
        $pieces = /6:pieces[0-9]{2,9}:/
    condition:
        uint8(0) == 0x64 and all of them
}

rule libtorrent_resume : p2p
{
    meta:
        description = "libtorrent (qBittorrent, Deluge) state of a download"
        author = "forensic-triage"
        reference = "https://www.libtorrent.org/manual-ref.html"
        scope = "head"
        needs_start = "d"
        example = "a.fastresume"
    strings:
        $format = "11:file-format22:libtorrent resume file"
    condition:
        uint8(0) == 0x64 and $format
}

rule transmission_resume : p2p
{
    meta:
        description = "Transmission state of a download"
        author = "forensic-triage"
        reference = "https://github.com/transmission/transmission/blob/main/libtransmission/resume.cc"
        scope = "head"
        needs_start = "d"
        example = "film.resume"
    strings:
        $a = "13:activity-datei"
        $b = "10:added-datei"
    condition:
        uint8(0) == 0x64 and all of them
}

rule dcplusplus_settings : p2p
{
    meta:
        description = "DC++ settings"
        author = "forensic-triage"
        reference = "https://dcplusplus.sourceforge.io"
        scope = "head"
        needs_start = ".{0,256}<DCPlusPlus>"
        example = "DCPlusPlus.xml"
    strings:
        $root = "<DCPlusPlus>"
        $settings = "<Settings>"
    condition:
        all of them and ($root in (0 .. 256))
}
