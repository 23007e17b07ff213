/**
 * Values that all servers and clients of Mullion share. {@link dev.mullion.net.Tls} enables TLS,
 * {@link dev.mullion.net.TlsState} reports whether changed certificates were loaded, and {@link
 * dev.mullion.net.StopReport} reports the result of a graceful stop. This package depends on no
 * other package of Mullion.
 */
@NullMarked
package dev.mullion.net;

import org.jspecify.annotations.NullMarked;
