/**
 * What the modules of Mullion share and users do not see. {@link dev.mullion.net.base.Check} checks
 * arguments, {@link dev.mullion.net.base.DaemonThreads} makes threads, {@link
 * dev.mullion.net.base.UnixSocketFile} is the file of a unix-domain socket, and {@link
 * dev.mullion.net.base.BoundedLog} logs what can repeat. It knows nothing of framing or gRPC.
 */
@NullMarked
package dev.mullion.net.base;

import org.jspecify.annotations.NullMarked;
