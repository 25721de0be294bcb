// Clients that keep files in step with a cloud.
// How rules are written and tested: rules/README.md

rule dropbox_state : cloud
{
    meta:
        description = "Dropbox client state"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "filecache.dbx, config.dbx, aggregation.dbx"
        example = "filecache.dbx"
    condition:
        (filename iequals "filecache.dbx" or filename iequals "config.dbx" or filename iequals "aggregation.dbx") and filepath icontains "/dropbox/"
}

rule onedrive_state : cloud
{
    meta:
        description = "OneDrive client database of files"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "SyncEngineDatabase.db"
        example = "SyncEngineDatabase.db"
    condition:
        filename iequals "SyncEngineDatabase.db" and uint32be(0) == 0x53514C69
}

rule google_drive_state : cloud
{
    meta:
        description = "Google Drive for desktop database of files"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "metadata_sqlite_db"
        example = "metadata_sqlite_db"
    condition:
        filename iequals "metadata_sqlite_db" and uint32be(0) == 0x53514C69
}

rule google_backup_and_sync_state : cloud
{
    meta:
        description = "Google Backup and Sync database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "sync_config.db, snapshot.db"
        example = "sync_config.db"
    condition:
        (filename iequals "sync_config.db" or filename iequals "snapshot.db") and filepath icontains "/Google/Drive/" and uint32be(0) == 0x53514C69
}

rule mega_state : cloud
{
    meta:
        description = "MEGA client state"
        author = "forensic-triage"
        reference = "https://github.com/meganz/sdk"
        scope = "start"
        needs_name = "megaclient_statecache*"
        example = "megaclient_statecache13_a.db"
    condition:
        filename istartswith "megaclient_statecache" and uint32be(0) == 0x53514C69
}

rule pcloud_state : cloud
{
    meta:
        description = "pCloud client database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "data.db"
        example = "data.db"
    condition:
        filename iequals "data.db" and filepath icontains "/pcloud/" and uint32be(0) == 0x53514C69
}

rule icloud_drive_state : cloud
{
    meta:
        description = "iCloud Drive client database"
        author = "forensic-triage"
        reference = "format observation"
        scope = "start"
        needs_name = "client.db"
        example = "client.db"
    condition:
        filename iequals "client.db" and filepath icontains "/CloudDocs/session/db/" and uint32be(0) == 0x53514C69
}
