// Programs that hide where traffic comes from.
// How rules are written and tested: rules/README.md

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
