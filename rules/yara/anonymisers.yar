// Programs that hide where traffic comes from.
// How rules are written and tested: rules/README.md

rule tor_browser_settings : anonymisers
{
    meta:
        description = "Tor Browser settings of its Tor program"
        author = "forensic-triage"
        reference = "https://support.torproject.org/tbb/tbb-editing-torrc/"
        scope = "head"
        example = "torrc"
    strings:
        $folder = "TorBrowser"
    condition:
        (filename iequals "torrc" or filename iequals "torrc-defaults") and $folder
}

rule tor_state : anonymisers
{
    meta:
        description = "state of a Tor program, with the time when it was last written"
        author = "forensic-triage"
        reference = "https://gitlab.torproject.org/tpo/core/tor/-/blob/main/src/app/config/statefile.c"
        scope = "head"
        example = "state"
    strings:
        $line = "# Tor state file last generated on "
    condition:
        $line at 0
}

rule tor_onion_service_key : anonymisers
{
    meta:
        description = "private key of a Tor onion service"
        author = "forensic-triage"
        reference = "https://spec.torproject.org/rend-spec"
        scope = "head"
        example = "hs_ed25519_secret_key"
    strings:
        $line = "== ed25519v1-secret: type0 =="
    condition:
        $line at 0
}

rule tor_browser_profile : anonymisers
{
    meta:
        description = "Tor Browser profile"
        author = "forensic-triage"
        reference = "https://gitlab.torproject.org/tpo/applications/tor-browser"
        scope = "head"
        example = "prefs.js"
    strings:
        $a = "user_pref(\"extensions.torbutton."
        $b = "user_pref(\"torbrowser."
        $c = "user_pref(\"extensions.torlauncher."
    condition:
        filename iequals "prefs.js" and any of them
}

rule tails_persistence : anonymisers
{
    meta:
        description = "Tails persistent storage settings"
        author = "forensic-triage"
        reference = "https://tails.net/doc/persistent_storage/"
        scope = "head"
        example = "persistence.conf"
    strings:
        $home = "/home/amnesia"
    condition:
        filename iequals "persistence.conf" and $home
}

rule i2p_router_settings : anonymisers
{
    meta:
        description = "I2P router settings"
        author = "forensic-triage"
        reference = "https://geti2p.net/spec/configuration"
        scope = "head"
        example = "router.config"
    strings:
        $port = /(^|\n)i2np\.udp\.(internalPort|port)=/
    condition:
        filename iequals "router.config" and $port
}

rule openvpn_profile : anonymisers
{
    meta:
        description = "OpenVPN profile"
        author = "forensic-triage"
        reference = "https://openvpn.net/community-resources/reference-manual-for-openvpn-2-6/"
        scope = "head"
        example = "home.ovpn"
    strings:
        $remote = /(^|\n)[ \t]*remote [^\r\n]{3}/
    condition:
        filename iendswith ".ovpn" and $remote
}

rule wireguard_profile : anonymisers
{
    meta:
        description = "WireGuard profile"
        author = "forensic-triage"
        reference = "https://www.wireguard.com"
        scope = "head"
        example = "wg0.conf"
    strings:
        $interface = "[Interface]"
        $key = /(^|\n)[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+\/]{43}=/
        $peer = "[Peer]"
    condition:
        all of them
}

rule android_tor_apps : anonymisers installed_app
{
    meta:
        description = "Orbot or Tor Browser in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=org.torproject.android"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "org.torproject.android" fullword
        $p2 = "org.torproject.torbrowser" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_psiphon : anonymisers installed_app
{
    meta:
        description = "Psiphon in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.psiphon3"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.psiphon3" fullword
        $p2 = "com.psiphon3.subscription" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_vpn_apps : anonymisers installed_app
{
    meta:
        description = "a VPN service in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.nordvpn.android"
        scope = "head"
        example = "packages.list"
    strings:
        $p1 = "com.nordvpn.android" fullword
        $p2 = "com.expressvpn.vpn" fullword
        $p3 = "ch.protonvpn.android" fullword
        $p4 = "com.windscribe.vpn" fullword
        $p5 = "free.vpn.unblock.proxy.turbovpn" fullword
        $p6 = "com.northghost.touchvpn" fullword
        $p7 = "de.mobileconcepts.cyberghost" fullword
        $p8 = "com.privateinternetaccess.android" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}
