/**
 * Compares servers side by side: work done per second of the server's CPU time.
 *
 * <p>A {@link dev.mullion.framing.testing.comparison.Comparison} starts each server and its load
 * generator as processes of their own; {@link dev.mullion.framing.testing.comparison.Results} holds
 * what they measured, and {@link dev.mullion.framing.testing.comparison.BarChart} draws it.
 */
@NullMarked
package dev.mullion.framing.testing.comparison;

import org.jspecify.annotations.NullMarked;
