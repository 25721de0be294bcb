// The one rule of the comparisons with plaso and dissect. The string has no fixed place, so all content is looked through.
rule jfif_somewhere
{
    strings:
        $jfif = "JFIF"
    condition:
        $jfif
}
