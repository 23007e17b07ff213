/** A suite of tests that proves an engine's guarantees. */
@NullMarked
package dev.mullion.messaging.tck;

import org.jspecify.annotations.NullMarked;
