/**
 * What a gRPC service needs around its stubs: a server and a channel with deadlines, limits, a status
 * mapping and a graceful stop.
 *
 * <p>None of it is written yet.
 */
@NullMarked
package dev.mullion.rpc;

import org.jspecify.annotations.NullMarked;
