package dev.mullion.net;

import org.jspecify.annotations.Nullable;

/**
 * What became of changed TLS files since a server or client was started.
 *
 * @param reloads how often changed files were loaded
 * @param failedReloads how often changed files could not be used; the previous ones stayed in use
 * @param failure why the files as they are now cannot be used, or {@code null} if they can
 */
public record TlsState(
    long reloads, long failedReloads, @Nullable String failure) {}
