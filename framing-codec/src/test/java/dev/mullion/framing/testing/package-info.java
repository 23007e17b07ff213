/**
 * Fails each test that leaks a Netty buffer.
 *
 * <p>Nothing has to be called: with this package on the test class path JUnit finds {@link
 * dev.mullion.framing.testing.LeakExtension} by itself.
 */
@NullMarked
package dev.mullion.framing.testing;

import org.jspecify.annotations.NullMarked;
