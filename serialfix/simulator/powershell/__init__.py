"""Windows PowerShell 5.1 over the VM's state: a real grammar, an evaluator, the cmdlets repairs use."""
