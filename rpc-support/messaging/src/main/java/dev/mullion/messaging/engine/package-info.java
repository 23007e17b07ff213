/**
 * The interface between {@code Messaging} and what carries its messages, for those who write an
 * engine. {@link dev.mullion.messaging.engine.Engine} describes one, and {@link
 * dev.mullion.messaging.engine.EngineLink} is a running one. The suite in {@code messaging-tck}
 * checks an engine against its {@link dev.mullion.messaging.Guarantees}.
 */
@NullMarked
package dev.mullion.messaging.engine;

import org.jspecify.annotations.NullMarked;
