#!/usr/bin/env python3
# forks to background so the run's browser returns immediately
import os,sys
sys.path.insert(0,'/tmp/tst1')
if os.fork(): os._exit(0)
import br; br.go(sys.argv[-1])
