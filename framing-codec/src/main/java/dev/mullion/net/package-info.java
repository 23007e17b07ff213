/**
 * What all of Mullion's servers and clients have in common: {@link dev.mullion.net.Tls} enables
 * TLS, {@link dev.mullion.net.TlsState} tells whether changed certificates were loaded, and a
 * {@link dev.mullion.net.StopReport} tells what a graceful stop has done. These are values; they
 * depend on no other package of Mullion.
 */
@NullMarked
package dev.mullion.net;

import org.jspecify.annotations.NullMarked;
