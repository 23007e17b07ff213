/**
 * What a gRPC service needs around its stubs. {@link dev.mullion.rpc.ErrorDetails} attaches rich
 * details to an error, and finds them.
 */
@NullMarked
package dev.mullion.rpc;

import org.jspecify.annotations.NullMarked;
