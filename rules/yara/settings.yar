// Settings and lists of programs, known by their names; applied to text and to what has no known type.
// How rules are written and tested: rules/README.md

rule tor_browser_settings : anonymisers
{
    meta:
        description = "Tor Browser settings of its Tor program"
        author = "forensic-triage"
        reference = "https://support.torproject.org/tbb/tbb-editing-torrc/"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "torrc, torrc-defaults"
        example = "torrc"
    strings:
        $folder = "TorBrowser"
    condition:
        (filename iequals "torrc" or filename iequals "torrc-defaults") and $folder
}

rule tor_browser_profile : anonymisers
{
    meta:
        description = "Tor Browser profile"
        author = "forensic-triage"
        reference = "https://gitlab.torproject.org/tpo/applications/tor-browser"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "prefs.js"
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
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "persistence.conf"
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
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "router.config"
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
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "*.ovpn"
        example = "home.ovpn"
    strings:
        $remote = /(^|\n)[ \t]*remote [^\r\n]{3}/
    condition:
        filename iendswith ".ovpn" and $remote
}

rule android_tor_apps : anonymisers installed_app
{
    meta:
        description = "Orbot or Tor Browser in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=org.torproject.android"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
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
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
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
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
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

rule dropbox_account : cloud
{
    meta:
        description = "Dropbox client account with the folder that it keeps in step"
        author = "forensic-triage"
        reference = "https://help.dropbox.com/installs/locate-dropbox-folder"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "info.json"
        example = "info.json"
    strings:
        $path = "\"path\":"
        $host = "\"host\":"
    condition:
        filename iequals "info.json" and filepath icontains "dropbox" and all of them
}

rule nextcloud_settings : cloud
{
    meta:
        description = "Nextcloud or ownCloud client settings"
        author = "forensic-triage"
        reference = "https://docs.nextcloud.com/desktop/latest/conffile.html"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "nextcloud.cfg, owncloud.cfg"
        example = "nextcloud.cfg"
    strings:
        $section = "[Accounts]"
    condition:
        (filename iequals "nextcloud.cfg" or filename iequals "owncloud.cfg") and $section
}

rule cryptomator_vault : encryption
{
    meta:
        description = "Cryptomator vault"
        author = "forensic-triage"
        reference = "https://docs.cryptomator.org/en/latest/security/vault/"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "masterkey.cryptomator"
        example = "masterkey.cryptomator"
    strings:
        $salt = "\"scryptSalt\""
    condition:
        filename iequals "masterkey.cryptomator" and $salt
}

rule encfs_folder : encryption
{
    meta:
        description = "EncFS encrypted folder"
        author = "forensic-triage"
        reference = "https://github.com/vgough/encfs"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "*.encfs6.xml"
        example = "a/.encfs6.xml"
    strings:
        $key = "<encodedKeyData>"
    condition:
        filename iendswith ".encfs6.xml" and $key
}

rule emule_settings : p2p
{
    meta:
        description = "eMule or aMule settings"
        author = "forensic-triage"
        reference = "https://wiki.amule.org/wiki/Amule.conf_file"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "preferences.ini, amule.conf"
        example = "amule.conf"
    strings:
        $section = "[eMule]" ascii wide
    condition:
        (filename iequals "preferences.ini" or filename iequals "amule.conf") and $section
}

rule transmission_settings : p2p
{
    meta:
        description = "Transmission settings"
        author = "forensic-triage"
        reference = "https://github.com/transmission/transmission/blob/main/docs/Editing-Configuration-Files.md"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "settings.json"
        example = "settings.json"
    strings:
        $a = "\"peer-port-random-on-start\""
        $b = "\"rpc-authentication-required\""
    condition:
        filename iequals "settings.json" and all of them
}

rule freenet_node : p2p
{
    meta:
        description = "Freenet or Hyphanet node settings"
        author = "forensic-triage"
        reference = "https://www.hyphanet.org/pages/documentation.html"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "freenet.ini"
        example = "freenet.ini"
    strings:
        $a = "fproxy.port="
        $b = "node.opennet.enabled="
    condition:
        filename iequals "freenet.ini" and any of them
}

rule limewire_settings : p2p
{
    meta:
        description = "LimeWire or FrostWire settings"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "limewire.props, frostwire.props"
        example = "limewire.props"
    strings:
        $a = "LimeWire properties file"
        $b = "FrostWire properties file"
    condition:
        (filename iequals "limewire.props" or filename iequals "frostwire.props") and any of them
}

rule android_keepsafe : vaults installed_app
{
    meta:
        description = "Keepsafe photo vault in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.kii.safe"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.kii.safe" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_galleryvault : vaults installed_app
{
    meta:
        description = "GalleryVault in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.thinkyeah.galleryvault"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.thinkyeah.galleryvault" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_vaulty : vaults installed_app
{
    meta:
        description = "Vaulty in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.theronrogers.vaultyfree"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.theronrogers.vaultyfree" fullword
        $p2 = "com.theronrogers.vaultypro" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_calculator_vaults : vaults installed_app
{
    meta:
        description = "a vault that looks like a calculator in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.hld.anzenbokusucal"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.hld.anzenbokusucal" fullword
        $p2 = "com.flatfish.cal.privacy" fullword
        $p3 = "com.calculator.vault.gallery.locker.hide.data" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_sgallery : vaults installed_app
{
    meta:
        description = "SGallery photo vault in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.hld.anzenbokusu"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.hld.anzenbokusu" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_hide_it_pro : vaults installed_app
{
    meta:
        description = "Hide It Pro in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.smartanuj.hideitpro" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule android_applock : vaults installed_app
{
    meta:
        description = "AppLock in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.domobile.applock"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.domobile.applock" fullword
        $p2 = "com.domobile.applockwatcher" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}

rule ccleaner_settings : wiping
{
    meta:
        description = "CCleaner settings"
        author = "forensic-triage"
        reference = "https://support.ccleaner.com"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "ccleaner.ini"
        example = "ccleaner.ini"
    strings:
        $app = /(^|\n)\(App\)[^\r\n=]{3,60}=/
    condition:
        filename iequals "ccleaner.ini" and $app
}

rule bleachbit_settings : wiping
{
    meta:
        description = "BleachBit settings"
        author = "forensic-triage"
        reference = "https://docs.bleachbit.org"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "bleachbit.ini"
        example = "bleachbit.ini"
    strings:
        $section = "[bleachbit]"
    condition:
        filename iequals "bleachbit.ini" and $section
}

rule android_wiping_apps : wiping installed_app
{
    meta:
        description = "a wiping app in the list of apps of an Android device"
        author = "forensic-triage"
        reference = "https://play.google.com/store/apps/details?id=com.projectstar.ishredder.android.standard"
        scope = "head"
        types = "text/*, application/json, application/xml, application/javascript, application/octet-stream"
        needs_name = "packages*.list, packages*.xml"
        example = "packages.list"
    strings:
        $p1 = "com.projectstar.ishredder.android.standard" fullword
        $p2 = "com.palmtronix.shreddit.v1" fullword
    condition:
        filename matches /^packages(-backup)?\.(list|xml)$/ and any of them
}
