// Programs that hide where traffic comes from.
// How rules are written and tested: rules/README.md

rule tor_state : anonymisers
{
    meta:
        description = "state of a Tor program, with the time when it was last written"
        author = "forensic-triage"
        reference = "https://gitlab.torproject.org/tpo/core/tor/-/blob/main/src/app/config/statefile.c"
        scope = "start"
        needs_start = "# Tor state file last generated on "
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
        scope = "start"
        needs_start = "== ed25519v1-secret: type0 =="
        example = "hs_ed25519_secret_key"
    strings:
        $line = "== ed25519v1-secret: type0 =="
    condition:
        $line at 0
}
