"""The TLS connectivity test: connect, observe what the handshake shows, judge it as Java would."""
