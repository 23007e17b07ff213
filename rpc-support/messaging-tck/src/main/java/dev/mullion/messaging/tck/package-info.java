/**
 * The conformance suite: proves that an engine keeps its {@link dev.mullion.messaging.Guarantees}.
 *
 * <p>Extend {@link dev.mullion.messaging.tck.MessagingTck}, which has all chapters, or one class
 * for each chapter, and return an {@link dev.mullion.messaging.tck.EngineUnderTest}. What an
 * engine does not promise is skipped, with the field of its guarantees that allows it. {@link
 * dev.mullion.messaging.tck.FaultyEngine} wraps an engine to delay, duplicate and reorder messages,
 * and to cut connections.
 */
@NullMarked
package dev.mullion.messaging.tck;

import org.jspecify.annotations.NullMarked;
