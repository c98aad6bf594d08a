set edit:completion:arg-completer[biotrack-auth] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) BIOTRACK_AUTH_COMPLETE="elvish" biotrack-auth -- $@words) | to-lines
}
