// Where messengers keep their messages.
// How rules are written and tested: rules/README.md

rule whatsapp_encrypted_backup : chats
{
    meta:
        description = "WhatsApp encrypted backup"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "*.crypt*"
        example = "msgstore.db.crypt15"
    condition:
        filename matches /\.crypt(5|7|8|12|14|15)$/ and filename matches /^(msgstore|wa|axolotl|backup_settings|chatsettingsbackup|stickers|wallpapers|commerce|smb)/
}

rule telegram_desktop : chats
{
    meta:
        description = "Telegram Desktop store"
        author = "forensic-triage"
        reference = "https://github.com/telegramdesktop/tdesktop/blob/dev/Telegram/SourceFiles/storage/details/storage_file_utilities.cpp"
        scope = "start"
        needs_start = "TDF\\$"
        example = "key_datas"
    strings:
        $magic = "TDF$"
    condition:
        $magic at 0
}

rule telegram_messages_ios : chats
{
    meta:
        description = "Telegram database of an iPhone or Mac"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "db_sqlite"
        example = "db_sqlite"
    condition:
        filename iequals "db_sqlite" and filepath icontains "/postbox/db/"
}

rule signal_desktop : chats
{
    meta:
        description = "Signal Desktop message database (encrypted)"
        author = "forensic-triage"
        reference = "https://github.com/signalapp/Signal-Desktop"
        scope = "start"
        needs_name = "db.sqlite"
        example = "db.sqlite"
    condition:
        filename iequals "db.sqlite" and filepath icontains "/Signal/sql/"
}

rule signal_messages : chats
{
    meta:
        description = "Signal message database of an Android device (encrypted)"
        author = "forensic-triage"
        reference = "https://github.com/signalapp/Signal-Android"
        scope = "start"
        needs_name = "signal.db"
        example = "signal.db"
    condition:
        filename iequals "signal.db" and filepath contains "/org.thoughtcrime.securesms/"
}

rule signal_backup : chats
{
    meta:
        description = "Signal backup file of an Android device"
        author = "forensic-triage"
        reference = "https://support.signal.org/hc/articles/360007059752"
        scope = "start"
        needs_name = "signal-*.backup"
        example = "signal-2024-01-02-03-04-05.backup"
    condition:
        filename matches /^signal-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}\.backup$/
}

rule kik_messages : chats
{
    meta:
        description = "Kik message database of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "*kikDatabase.db"
        example = "kikDatabase.db"
    condition:
        filename iendswith "kikDatabase.db" and uint32be(0) == 0x53514C69
}

rule viber_messages : chats
{
    meta:
        description = "Viber message database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "viber_messages, viber.db"
        example = "viber_messages"
    condition:
        (filename iequals "viber_messages" or (filename iequals "viber.db" and filepath icontains "viberpc")) and uint32be(0) == 0x53514C69
}

rule discord_store : chats
{
    meta:
        description = "Discord desktop store"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_path = "/Local Storage/leveldb/"
        example = "000005.ldb"
    condition:
        filepath icontains "/discord" and filepath icontains "/Local Storage/leveldb/" and (extension == ".ldb" or extension == ".log")
}

rule messenger_messages : chats
{
    meta:
        description = "Facebook Messenger message database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "threads_db2, msys_database_*, lightspeed-*"
        example = "threads_db2"
    condition:
        (filename iequals "threads_db2" or filename matches /^(msys_database_|lightspeed-)[0-9a-zA-Z]+(\.db)?$/) and uint32be(0) == 0x53514C69
}

rule snapchat_messages : chats
{
    meta:
        description = "Snapchat message database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "arroyo.db"
        example = "arroyo.db"
    condition:
        filename iequals "arroyo.db" and uint32be(0) == 0x53514C69
}

rule instagram_messages : chats
{
    meta:
        description = "Instagram message database of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "direct.db"
        example = "direct.db"
    condition:
        filename iequals "direct.db" and filepath contains "/com.instagram.android/" and uint32be(0) == 0x53514C69
}

rule tiktok_messages : chats
{
    meta:
        description = "TikTok message database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "*_im.db"
        example = "7000000000000000001_im.db"
    condition:
        filename matches /^(encrypted_)?[0-9]{8,}_im\.db$/ and uint32be(0) == 0x53514C69
}

rule wechat_messages : chats
{
    meta:
        description = "WeChat message database (encrypted)"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "EnMicroMsg.db"
        example = "EnMicroMsg.db"
    condition:
        filename iequals "EnMicroMsg.db"
}

rule line_messages : chats
{
    meta:
        description = "LINE message database of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "naver_line"
        example = "naver_line"
    condition:
        filename iequals "naver_line" and uint32be(0) == 0x53514C69
}

rule imo_messages : chats
{
    meta:
        description = "imo message database of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "imofriends.db"
        example = "imofriends.db"
    condition:
        filename iequals "imofriends.db" and uint32be(0) == 0x53514C69
}

rule wickr_messages : chats
{
    meta:
        description = "Wickr database (encrypted)"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "wickr_db, wickr_db.sqlite"
        example = "wickr_db"
    condition:
        filename iequals "wickr_db" or filename iequals "wickr_db.sqlite"
}

rule threema_messages : chats
{
    meta:
        description = "Threema database of an Android device (encrypted)"
        author = "forensic-triage"
        reference = "https://github.com/threema-ch/threema-android"
        scope = "start"
        needs_name = "threema*.db"
        example = "threema4.db"
    condition:
        filename matches /^threema[45]?\.db$/
}
