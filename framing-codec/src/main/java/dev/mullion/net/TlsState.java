package dev.mullion.net;

import org.jspecify.annotations.Nullable;

/**
 * The reloads of TLS files since a server or client was started.
 *
 * @param reloads the number of times that changed files were loaded
 * @param failedReloads the number of times that changed files could not be used and the previous
 *     ones stayed in use
 * @param failure why the current files cannot be used, or {@code null} if they can
 */
public record TlsState(
    long reloads, long failedReloads, @Nullable String failure) {}
