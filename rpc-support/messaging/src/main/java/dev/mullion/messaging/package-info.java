/**
 * Four communication patterns on one API, embedded or on a broker.
 *
 * <p>An address is an immutable value shared by both sides: name, codec, and what belongs to the
 * queue or topic itself. {@link dev.mullion.messaging.Messaging} is the running handle that is
 * closed. {@link dev.mullion.messaging.EmbeddedEngine} is the engine inside one process, in memory
 * or in a directory; {@link dev.mullion.messaging.Guarantees} are its promises.
 */
@NullMarked
package dev.mullion.messaging;

import org.jspecify.annotations.NullMarked;
