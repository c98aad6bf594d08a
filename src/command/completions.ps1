Register-ArgumentCompleter -Native -CommandName biotrack-auth -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # The words are read, and nothing that stands among them is run.
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
        })
    if ($wordToComplete -eq '') {
        # Before 7.3 an empty word is lost, unless it's quoted twice.
        if ("$PSNativeCommandArgumentPassing" -in '', 'Legacy') { $words += '""' } else { $words += '' }
    }

    $before = $env:BIOTRACK_AUTH_COMPLETE
    $env:BIOTRACK_AUTH_COMPLETE = 'powershell'
    try {
        $results = & biotrack-auth '--' @words
    } finally {
        $env:BIOTRACK_AUTH_COMPLETE = $before
    }
    $results | ForEach-Object {
        $word, $help = $_.Split("`t", 2)
        if (-not $help) { $help = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $help)
    }
}
