// Stores in SQLite databases; applied to files of that type only.
// How rules are written and tested: rules/README.md

rule whatsapp_messages : chats
{
    meta:
        description = "WhatsApp message database of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "msgstore.db"
    strings:
        $a = "CREATE TABLE message"
    condition:
        filename istartswith "msgstore" and uint32be(0) == 0x53514C69 and $a
}

rule whatsapp_messages_ios : chats
{
    meta:
        description = "WhatsApp message database of an iPhone"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "ChatStorage.sqlite"
    strings:
        $table = "CREATE TABLE ZWAMESSAGE"
    condition:
        uint32be(0) == 0x53514C69 and $table
}

rule telegram_messages : chats
{
    meta:
        description = "Telegram database of an Android device"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "cache4.db"
    strings:
        $a = "CREATE TABLE messages_v2"
        $b = "CREATE TABLE messages("
        $c = "CREATE TABLE dialogs("
    condition:
        filename iequals "cache4.db" and uint32be(0) == 0x53514C69 and any of them
}

rule kik_messages_ios : chats
{
    meta:
        description = "Kik message database of an iPhone"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "kik.sqlite"
    strings:
        $table = "CREATE TABLE ZKIKMESSAGE"
    condition:
        uint32be(0) == 0x53514C69 and $table
}

rule skype_messages : chats
{
    meta:
        description = "Skype message database (up to version 7)"
        author = "forensic-triage"
        reference = "https://github.com/log2timeline/plaso/blob/main/plaso/parsers/sqlite_plugins/skype.py"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "main.db"
    strings:
        $table = /CREATE TABLE Messages ?\(/
        $chats = /CREATE TABLE Conversations ?\(/
    condition:
        filename iequals "main.db" and uint32be(0) == 0x53514C69 and all of them
}

rule android_sms : chats
{
    meta:
        description = "text message database of an Android device"
        author = "forensic-triage"
        reference = "https://android.googlesource.com/platform/packages/providers/TelephonyProvider/"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "mmssms.db"
    strings:
        $table = /CREATE TABLE (IF NOT EXISTS )?sms ?\(/
    condition:
        filename iequals "mmssms.db" and uint32be(0) == 0x53514C69 and $table
}

rule ios_messages : chats
{
    meta:
        description = "SMS and iMessage database of an iPhone or Mac"
        author = "forensic-triage"
        reference = "format observation"
        scope = "head"
        types = "application/vnd.sqlite3"
        example = "sms.db"
    strings:
        $a = "CREATE TABLE message (ROWID INTEGER PRIMARY KEY"
        $b = "CREATE TABLE chat_message_join"
    condition:
        uint32be(0) == 0x53514C69 and all of them
}
