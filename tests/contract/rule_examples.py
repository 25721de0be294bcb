"""For each bundled rule a file that it must find and a near miss that it must not, built from published formats.

Nothing here is taken from real data: names, addresses and keys are made up.
"""

import base64
import sqlite3
from typing import NamedTuple

SQLITE = b"SQLite format 3\0" + bytes(84)
APPS = "/data/system/packages.list"
DATA = "/data/data"
LOCAL = "/Users/a/AppData/Local"


class Sample(NamedTuple):
    content: bytes
    path: str


class Example(NamedTuple):
    hit: Sample
    miss: Sample


def database(*statements: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    for statement in statements:
        connection.execute(statement)
    content: bytes = connection.serialize()
    connection.close()
    return content


def app(package: str) -> bytes:
    """A line as in Android's packages.list."""
    return f"{package} 10123 0 /data/user/0/{package} default:targetSdkVersion=33 none 0 12 1 @null\n".encode()


def program(words: str) -> bytes:
    return b"MZ" + bytes(126) + words.encode("utf-16-le")


def installed(package: str, other: str) -> Example:
    return Example(Sample(app(package), APPS), Sample(app(other), APPS))


def moved(content: bytes, path: str, elsewhere: str) -> Example:
    """The same content under a path that means nothing."""
    return Example(Sample(content, path), Sample(content, elsewhere))


def changed(path: str, content: bytes, other: bytes) -> Example:
    """The same path with content that means nothing."""
    return Example(Sample(content, path), Sample(other, path))


KEY_BASE64 = base64.b64encode(bytes(32))
ONION = b"a2" * 27 + b"bd.onion"  # 56 characters, of which the last is always d
TORRENT = b"d8:announce3:udp4:infod6:lengthi9e4:name1:a12:piece lengthi16384e6:pieces20:" + bytes(20) + b"ee"
SEVEN = b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(100)
ZIP = b"PK\x03\x04\x14\0"
DCPP = b'<?xml version="1.0" encoding="utf-8"?>\r\n<DCPlusPlus>\r\n\t<Settings>'
WIREGUARD = b"[Interface]\nPrivateKey = " + KEY_BASE64 + b"\n[Peer]\nEndpoint = vpn.example:51820\n"
HIVE = b"regf" + bytes(4096)
RECOVERY = b"BitLocker Drive Encryption recovery key\r\n" + b"-".join([b"123456"] * 8)

EXAMPLES = {
    # peer to peer
    "emule_known_files": changed("/emule/config/known.met", b"\x0e\x01\0\0\0", b"\x30\x01\0\0\0"),
    "emule_known_parts": changed("/emule/config/known2_64.met", b"\x02" + bytes(24), b"\x07" + bytes(24)),
    "emule_unfinished_download": changed("/emule/Temp/001.part.met", b"\xe0" + bytes(20), b"<met/>"),
    "emule_servers": changed("/emule/config/server.met", b"\x0e\x02\0\0\0", b"\x01\x02\0\0\0"),
    "emule_settings": changed("/home/a/.aMule/amule.conf", b"[eMule]\nAppVersion=2.3\n", b"[Settings]\n"),
    "emule_searches": changed("/c/AC_SearchStrings.dat", "boats\r\n".encode("utf-16"), b"boats\r\n"),
    "ed2k_link": Example(
        Sample(b"see ed2k://|file|boats.avi|1024|0123456789abcdef0123456789ABCDEF|/", "/links.txt"),
        Sample(b"see ed2k://|server|203.0.113.1|4242|/", "/links.txt"),
    ),
    "ares_shared_files": changed(f"{LOCAL}/Ares/Data/ShareH.dat", b"__ARESDB1.04H_" + bytes(40), b"  __ARESDB1.04H_"),
    "ares_unfinished_download": moved(
        b"data", "/My Shared Folder/___ARESTRA___boats.avi", "/Shared/boats___ARESTRA___.avi"
    ),
    "shareaza_library": moved(b"\x05\0\0\0", "/AppData/Roaming/Shareaza/Data/Library1.dat", "/Library1.dat"),
    "shareaza_unfinished_download": changed("/Shareaza/Incomplete/boats.sd", b"SDL\x2a\0", b"\x2aSDL\0"),
    "utorrent_downloads": changed("/uTorrent/resume.dat", b"d10:.fileguard40:" + b"0" * 40 + b"e", b"d4:infoe"),
    "bittorrent_metainfo": changed("/Downloads/boats.torrent", TORRENT, TORRENT[1:]),
    "libtorrent_resume": changed(
        "/BT_backup/0.fastresume",
        b"d11:file-format22:libtorrent resume file12:file-versioni1ee",
        b"d11:file-formati1ee",
    ),
    "transmission_resume": changed(
        "/resume/boats.resume", b"d13:activity-datei1700000000e10:added-datei1700000000ee", b"d10:added-datei1ee"
    ),
    "transmission_settings": changed(
        "/home/a/.config/transmission/settings.json",
        b'{"peer-port-random-on-start": false, "rpc-authentication-required": false}',
        b'{"rpc-authentication-required": false}',
    ),
    "vuze_settings": changed("/Azureus/azureus.config", b"d4:Totali1ee", b"<config/>"),
    "freenet_node": changed("/freenet/freenet.ini", b"fproxy.port=8888\nnode.opennet.enabled=true\n", b"port=8888\n"),
    "limewire_settings": changed("/limewire.props", b"#LimeWire properties file\n", b"#properties file\n"),
    "dcplusplus_settings": changed("/DC++/DCPlusPlus.xml", DCPP, b"<Settings>about <DCPlus>"),
    # encryption
    "luks_volume": changed("/container.luks", b"LUKS\xba\xbe\0\x02" + bytes(500), b"LUKS\xba\xbe\0\x09" + bytes(500)),
    "bitlocker_volume": changed("/stick.img", b"\xeb\x58\x90-FVE-FS-\0\x02", b"\xeb\x52\x90NTFS    -FVE-FS-"),
    "bitlocker_recovery_key": changed(
        "/BitLocker Recovery Key 1.TXT", RECOVERY.decode().encode("utf-16"), RECOVERY[:-7]
    ),
    "veracrypt_settings": changed(
        "/AppData/Roaming/VeraCrypt/Configuration.xml",
        b'<?xml version="1.0"?>\n<VeraCrypt>\n\t<configuration>',
        b'<?xml version="1.0"?>\n<Other>\n\t<configuration>',
    ),
    "veracrypt_history": changed(
        "/AppData/Roaming/VeraCrypt/History.xml",
        b'<?xml version="1.0"?>\n<VeraCrypt>\n\t<history>\n',
        b'<?xml version="1.0"?>\n<VeraCrypt>\n\t<favorites>\n',
    ),
    "truecrypt_settings": changed(
        "/TrueCrypt/Configuration.xml", b"<TrueCrypt>\n\t<configuration>", b"<VeraCrypt>\n\t<configuration>"
    ),
    "veracrypt_program": changed("/veracrypt.sys", program("\\Device\\VeraCrypt"), program("\\Device\\Video0")),
    "truecrypt_program": changed("/truecrypt.sys", program("\\Device\\TrueCrypt"), program("\\Device\\Video0")),
    "pgp_private_key": changed(
        "/secret.asc", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ"
    ),
    "pgp_message": changed(
        "/note.asc", b"-----BEGIN PGP MESSAGE-----\n\nhQ", b"It begins with -----BEGIN PGP MESSAGE-----"
    ),
    "gnupg_keybox": changed("/.gnupg/pubring.kbx", b"\0\0\0\x20\x01\x01\0\0KBXf", b"KBXf\0\0\0\x20"),
    "axcrypt_file": changed(
        "/a-jpg.axx", bytes.fromhex("c0b9072e4f93f146a015792ca1d9e821") + bytes(40), bytes.fromhex("2e07b9c04f93f146")
    ),
    "keepass_database": changed("/p.kdbx", bytes.fromhex("03d9a29a67fb4bb5"), bytes.fromhex("03d9a29a68fb4bb5")),
    "sevenzip_encrypted_names": changed(
        "/a.7z",
        SEVEN + bytes.fromhex("17060001092006010b0100012406f107010a53"),
        SEVEN + bytes.fromhex("1706000109200123030101055d"),
    ),
    "zip_encrypted_member": changed("/a.zip", ZIP + b"\x01\0\x63\0" + bytes(22), ZIP + b"\0\0\x08\0" + bytes(22)),
    "rar_encrypted_names": changed(
        "/a.rar", b"Rar!\x1a\x07\0" + bytes.fromhex("ce9973800d00"), b"Rar!\x1a\x07\0" + bytes.fromhex("cf9073000d00")
    ),
    "cryptomator_vault": changed("/vault/masterkey.cryptomator", b'{"version":999,"scryptSalt":"AA=="}', b"{}"),
    "encfs_folder": changed("/private/.encfs6.xml", b"<cfg><encodedKeyData>AA</encodedKeyData>", b"<cfg></cfg>"),
    # anonymisers
    "tor_browser_settings": changed(
        "/Tor Browser/torrc", b"DataDirectory C:\\Tor Browser\\Browser\\TorBrowser\\Data", b"SocksPort 9050"
    ),
    "tor_state": changed(
        "/Data/Tor/state", b"# Tor state file last generated on 2024-01-02 03:04:05 local time\n", b"# state\n"
    ),
    "tor_onion_service_key": changed(
        "/hs_ed25519_secret_key", b"== ed25519v1-secret: type0 ==\0\0\0", b"== ed25519v1-public: type0 =="
    ),
    "tor_onion_address": Example(
        Sample(b"http://" + ONION + b"/", "/links.txt"),
        Sample(b"http://" + ONION[20:] + b"/ and x" + ONION, "/links.txt"),
    ),
    "tor_browser_profile": changed(
        "/profile.default/prefs.js",
        b'user_pref("torbrowser.settings.enabled", true);',
        b'user_pref("browser.startup.page", 0);',
    ),
    "tails_persistence": changed(
        "/persistence.conf", b"/home/amnesia/Persistent source=Persistent\n", b"/home/a source=b\n"
    ),
    "i2p_router_settings": changed(
        "/.i2p/router.config", b"i2np.lastIP=\ni2np.udp.internalPort=12345\n", b"port=12345\n"
    ),
    "openvpn_profile": changed("/home.ovpn", b"client\nremote vpn.example 1194\n", b"client\n# remote server\n"),
    "wireguard_profile": changed("/wg0.conf", WIREGUARD, WIREGUARD.replace(KEY_BASE64, b"(your key)")),
    "android_tor_apps": installed("org.torproject.android", "org.torproject.metrics"),
    "android_psiphon": installed("com.psiphon3", "com.psiphon"),
    "android_vpn_apps": installed("com.nordvpn.android", "com.android.vpndialogs"),
    # wiping
    "ccleaner_settings": changed("/ccleaner.ini", b"[Options]\r\n(App)Cookies=True\r\n", b"[Options]\r\nApp=1\r\n"),
    "ccleaner_program": changed(
        "/CCleaner64.exe", program("Software\\Piriform\\CCleaner"), program("Software\\Piriform\\Recuva")
    ),
    "bleachbit_settings": changed("/bleachbit.ini", b"[bleachbit]\nauto_hide = True\n", b"[other]\n"),
    "eraser_tasks": moved(b"x", f"{LOCAL}/Eraser 6/Task List.ersy", "/Eraser 6/Task List.txt"),
    "sdelete_program": changed("/sdelete64.exe", program("SDelete is set for %d pass."), program("Delete is set")),
    "sdelete_licence_accepted": changed(
        "/Users/a/NTUSER.DAT",
        HIVE + b"\x07\0\0\0SDelete" + bytes(9) + b"EulaAccepted",
        HIVE + b"\x07\0\0\0Handle2EulaAccepted",
    ),
    "dban_disc": changed(
        "/dban.iso", bytes(32_769) + b"CD001\x01Darik's Boot and Nuke", b"about Darik's Boot and Nuke"
    ),
    "android_wiping_apps": installed("com.projectstar.ishredder.android.standard", "com.android.settings"),
    # vaults
    "android_keepsafe": installed("com.kii.safe", "com.kii.other"),
    "android_galleryvault": installed("com.thinkyeah.galleryvault", "com.android.gallery3d"),
    "android_vaulty": installed("com.theronrogers.vaultyfree", "com.theronrogers.other"),
    "android_calculator_vaults": installed("com.hld.anzenbokusucal", "com.android.calculator2"),
    "android_sgallery": installed("com.hld.anzenbokusu", "com.hld.anzenbokusucal"),
    "android_hide_it_pro": installed("com.smartanuj.hideitpro", "com.smartanuj.other"),
    "android_applock": installed("com.domobile.applock", "com.domobile.other"),
    "galleryvault_store": moved(b"x", "/sdcard/.galleryvault_DoNotDelete_1234/files/a", "/sdcard/galleryvault/a"),
    "keepsafe_store": moved(b"x", "/sdcard/.keepsafe/manifests/primary/a", "/sdcard/keepsafe.txt"),
    "anzenbokusu_store": moved(b"x", "/sdcard/.privacy_safe/picture/a", "/sdcard/privacy_safe/a"),
    "applock_store": moved(b"x", "/sdcard/.MySecurityData/dont_remove/a", "/sdcard/.MySecurityData/a"),
    "hide_it_pro_store": moved(b"x", "/sdcard/ProgramData/Android/Language/.fr/Pictures/a", "/sdcard/ProgramData/a"),
    # cloud
    "dropbox_state": moved(b"x", "/AppData/Local/Dropbox/instance1/filecache.dbx", "/filecache.dbx"),
    "dropbox_account": changed("/AppData/Local/Dropbox/info.json", b'{"personal": {"path":"C:", "host":1}}', b"{}"),
    "onedrive_state": changed(f"{LOCAL}/Microsoft/OneDrive/settings/Personal/SyncEngineDatabase.db", SQLITE, b"x"),
    "google_drive_state": changed(f"{LOCAL}/Google/DriveFS/1/metadata_sqlite_db", SQLITE, b"x"),
    "google_backup_and_sync_state": moved(
        SQLITE, f"{LOCAL}/Google/Drive/user_default/sync_config.db", "/sync_config.db"
    ),
    "mega_state": moved(SQLITE, f"{LOCAL}/Mega Limited/MEGAsync/megaclient_statecache13_x.db", "/statecache.db"),
    "pcloud_state": moved(SQLITE, f"{LOCAL}/pCloud/data.db", "/data.db"),
    "icloud_drive_state": moved(SQLITE, "/Library/Application Support/CloudDocs/session/db/client.db", "/client.db"),
    "nextcloud_settings": changed(
        "/AppData/Roaming/Nextcloud/nextcloud.cfg", b"[General]\n[Accounts]\n", b"[General]\n"
    ),
    # chats
    "whatsapp_messages": changed(
        f"{DATA}/com.whatsapp/databases/msgstore.db",
        database("CREATE TABLE message(_id)"),
        database("CREATE TABLE other(_id)"),
    ),
    "whatsapp_encrypted_backup": moved(b"\x73", "/WhatsApp/Databases/msgstore-2024-01-02.1.db.crypt15", "/a.crypt15"),
    "whatsapp_messages_ios": changed(
        "/ChatStorage.sqlite", database("CREATE TABLE ZWAMESSAGE(Z_PK)"), database("CREATE TABLE ZMESSAGE(Z_PK)")
    ),
    "telegram_desktop": changed("/Telegram Desktop/tdata/key_datas", b"TDF$\x01\x02", b"\x01TDF$"),
    "telegram_messages": changed(
        f"{DATA}/org.telegram.messenger/files/cache4.db",
        database("CREATE TABLE messages_v2(mid)"),
        database("CREATE TABLE other(mid)"),
    ),
    "telegram_messages_ios": moved(SQLITE, "/telegram-data/account-1/postbox/db/db_sqlite", "/db_sqlite"),
    "signal_desktop": moved(bytes(512), "/AppData/Roaming/Signal/sql/db.sqlite", "/sql/db.sqlite"),
    "signal_messages": moved(bytes(512), f"{DATA}/org.thoughtcrime.securesms/databases/signal.db", "/signal.db"),
    "signal_backup": moved(b"x", "/Signal/signal-2024-01-02-03-04-05.backup", "/signal.backup"),
    "kik_messages": moved(SQLITE, f"{DATA}/kik.android/databases/a.kikDatabase.db", "/a.db"),
    "kik_messages_ios": changed(
        "/kik.sqlite", database("CREATE TABLE ZKIKMESSAGE(Z_PK)"), database("CREATE TABLE ZKIK(Z_PK)")
    ),
    "viber_messages": moved(SQLITE, f"{DATA}/com.viber.voip/databases/viber_messages", "/databases/viber.db"),
    "discord_store": moved(
        b"x", "/AppData/Roaming/discord/Local Storage/leveldb/000005.ldb", "/Chrome/Local Storage/leveldb/000005.ldb"
    ),
    "messenger_messages": moved(SQLITE, f"{DATA}/com.facebook.orca/databases/threads_db2", "/threads_db"),
    "snapchat_messages": moved(SQLITE, f"{DATA}/com.snapchat.android/databases/arroyo.db", "/main.db"),
    "instagram_messages": moved(SQLITE, f"{DATA}/com.instagram.android/databases/direct.db", "/direct.db"),
    "tiktok_messages": moved(
        SQLITE, f"{DATA}/com.zhiliaoapp.musically/databases/7000000000000000001_im.db", "/12_im.db"
    ),
    "skype_messages": changed(
        "/AppData/Roaming/Skype/a/main.db",
        database("CREATE TABLE Messages (id)", "CREATE TABLE Conversations (id)"),
        database("CREATE TABLE Messages (id)"),
    ),
    "wechat_messages": moved(bytes(512), f"{DATA}/com.tencent.mm/MicroMsg/0/EnMicroMsg.db", "/MicroMsg.db"),
    "line_messages": moved(SQLITE, f"{DATA}/jp.naver.line.android/databases/naver_line", "/naver"),
    "imo_messages": moved(SQLITE, f"{DATA}/com.imo.android.imoim/databases/imofriends.db", "/friends.db"),
    "wickr_messages": moved(bytes(512), f"{DATA}/com.mywickr.wickr2/databases/wickr_db", "/wickr.txt"),
    "threema_messages": moved(bytes(512), f"{DATA}/ch.threema.app/databases/threema4.db", "/threema.txt"),
    "android_sms": changed(
        f"{DATA}/com.android.providers.telephony/databases/mmssms.db",
        database("CREATE TABLE sms (_id)"),
        database("CREATE TABLE pdu (_id)"),
    ),
    "ios_messages": changed(
        "/Library/SMS/sms.db",
        database("CREATE TABLE message (ROWID INTEGER PRIMARY KEY, text TEXT)", "CREATE TABLE chat_message_join (a)"),
        database("CREATE TABLE message (ROWID INTEGER PRIMARY KEY, text TEXT)"),
    ),
}
