package dev.mullion.rpc;

import org.jspecify.annotations.Nullable;

/**
 * What has become of changes of the files for TLS, since the server started or the channel was built.
 *
 * @param reloads how often changed files were taken
 * @param failedReloads how often files could not be used; what was there before stayed in use
 * @param failure why the files as they are now cannot be used, or {@code null} if they can
 */
public record TlsState(
    long reloads, long failedReloads, @Nullable String failure) {}
