#!/usr/bin/env python3
"""Journal records, JSON to text: PRIORITY MESSAGE_ID MESSAGE, then timesvc's own fields."""
import json
import sys

for line in sys.stdin:
    record = json.loads(line)
    own = sorted(f'{name}={value}' for name, value in record.items()
                 if name.startswith('TIMESVC_') or
                 (record['_TRANSPORT'] == 'syslog' and
                  name in ('SYSLOG_FACILITY', 'SYSLOG_IDENTIFIER', 'SYSLOG_TIMESTAMP')))
    print(record['PRIORITY'], record.get('MESSAGE_ID', '-'), record['MESSAGE'], *own)
