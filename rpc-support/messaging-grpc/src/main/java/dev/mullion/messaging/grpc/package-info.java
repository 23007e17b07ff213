/** A messaging engine behind a gRPC service, and its client. */
@NullMarked
package dev.mullion.messaging.grpc;

import org.jspecify.annotations.NullMarked;
