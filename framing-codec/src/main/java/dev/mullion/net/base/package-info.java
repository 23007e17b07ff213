/**
 * Code that Mullion's modules share, and that is not exported to users. {@link
 * dev.mullion.net.base.Check} checks arguments, {@link dev.mullion.net.base.DaemonThreads} creates
 * threads, {@link dev.mullion.net.base.UnixSocketFile} is the file of a unix-domain socket, and
 * {@link dev.mullion.net.base.BoundedLog} limits repeated log lines. This package does not depend
 * on framing or gRPC.
 */
@NullMarked
package dev.mullion.net.base;

import org.jspecify.annotations.NullMarked;
