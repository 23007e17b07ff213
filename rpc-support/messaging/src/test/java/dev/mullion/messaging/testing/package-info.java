/** What the tests of the engines share. */
@NullMarked
package dev.mullion.messaging.testing;

import org.jspecify.annotations.NullMarked;
