// Peer-to-peer clients and what they leave.
// How rules are written and tested: rules/README.md

rule emule_known_files : p2p
{
    meta:
        description = "eMule or aMule list of files that were shared or downloaded"
        author = "forensic-triage"
        reference = "https://github.com/irwir/eMule/blob/master/srchybrid/Opcodes.h"
        scope = "start"
        needs_name = "known.met"
        example = "known.met"
    condition:
        filename iequals "known.met" and (uint8(0) == 0x0E or uint8(0) == 0x0F)
}

rule emule_known_parts : p2p
{
    meta:
        description = "eMule list of part hashes of known files"
        author = "forensic-triage"
        reference = "https://github.com/irwir/eMule/blob/master/srchybrid/Opcodes.h"
        scope = "start"
        needs_name = "known2_64.met"
        example = "known2_64.met"
    condition:
        filename iequals "known2_64.met" and uint8(0) == 0x02
}

rule emule_unfinished_download : p2p
{
    meta:
        description = "eMule or aMule description of an unfinished download"
        author = "forensic-triage"
        reference = "https://github.com/irwir/eMule/blob/master/srchybrid/Opcodes.h"
        scope = "start"
        needs_name = "*.part.met"
        example = "001.part.met"
    condition:
        filename iendswith ".part.met" and uint8(0) >= 0xE0 and uint8(0) <= 0xE2
}

rule emule_servers : p2p
{
    meta:
        description = "eMule or aMule server list"
        author = "forensic-triage"
        reference = "https://github.com/irwir/eMule/blob/master/srchybrid/Opcodes.h"
        scope = "start"
        needs_name = "server.met"
        example = "server.met"
    condition:
        filename iequals "server.met" and (uint8(0) == 0x0E or uint8(0) == 0xE0)
}

rule emule_searches : p2p
{
    meta:
        description = "eMule list of search words that were typed"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "AC_SearchStrings.dat"
        example = "AC_SearchStrings.dat"
    condition:
        filename iequals "AC_SearchStrings.dat" and uint16(0) == 0xFEFF
}

rule ares_shared_files : p2p
{
    meta:
        description = "Ares Galaxy database of shared or downloaded files"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_start = "__ARESDB1\\."
        example = "ShareH.dat"
    strings:
        $header = "__ARESDB1."
    condition:
        $header at 0
}

rule ares_unfinished_download : p2p
{
    meta:
        description = "Ares Galaxy unfinished download, by its name"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "___ARESTRA___*"
        example = "___ARESTRA___holiday.avi"
    condition:
        filename istartswith "___ARESTRA___"
}

rule shareaza_library : p2p
{
    meta:
        description = "Shareaza library of shared files"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "Library?.dat"
        example = "Library1.dat"
    condition:
        filename matches /^Library[12]\.dat$/i and filepath icontains "/Shareaza/"
}

rule shareaza_unfinished_download : p2p
{
    meta:
        description = "Shareaza description of an unfinished download"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "*.sd"
        example = "film.sd"
    condition:
        uint32be(0) & 0xFFFFFF00 == 0x53444C00 and filename iendswith ".sd"
}

rule utorrent_downloads : p2p
{
    meta:
        description = "uTorrent or BitTorrent list of downloads"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_start = "d.{0,63}10:\\.fileguard40:"
        example = "resume.dat"
    strings:
        $guard = "10:.fileguard40:"
    condition:
        uint8(0) == 0x64 and $guard in (0 .. 64)
}

rule vuze_settings : p2p
{
    meta:
        description = "Vuze (Azureus) settings"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "azureus.config"
        example = "azureus.config"
    condition:
        filename iequals "azureus.config" and uint8(0) == 0x64
}
