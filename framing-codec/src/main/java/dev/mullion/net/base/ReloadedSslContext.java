package dev.mullion.net.base;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSessionContext;
import org.jspecify.annotations.Nullable;

/**
 * Creates each connection's engine with the newest context. A reload replaces the whole context,
 * not only its certificates. Sessions can be resumed only within one context, so clients that are
 * no longer trusted cannot resume old sessions.
 */
final class ReloadedSslContext extends SslContext {
  private volatile SslContext newest;

  /** Keeps the reloader, if any, reachable as long as this context is. */
  @SuppressWarnings({"unused", "FieldCanBeLocal"})
  private final @Nullable Object reloader;

  ReloadedSslContext(SslContext first, @Nullable Object reloader) {
    newest = first;
    this.reloader = reloader;
  }

  void replace(SslContext newer) {
    newest = newer;
  }

  SslContext newest() {
    return newest;
  }

  @Override
  public boolean isClient() {
    return newest.isClient();
  }

  @Override
  public List<String> cipherSuites() {
    return newest.cipherSuites();
  }

  /** Deprecated by Netty, but called by gRPC. */
  @Override
  @SuppressWarnings("deprecation")
  public io.netty.handler.ssl.ApplicationProtocolNegotiator applicationProtocolNegotiator() {
    return newest.applicationProtocolNegotiator();
  }

  @Override
  public SSLEngine newEngine(ByteBufAllocator allocator) {
    return newest.newEngine(allocator);
  }

  @Override
  public SSLEngine newEngine(ByteBufAllocator allocator, String peerHost, int peerPort) {
    return newest.newEngine(allocator, peerHost, peerPort);
  }

  @Override
  public SSLSessionContext sessionContext() {
    return newest.sessionContext();
  }
}
