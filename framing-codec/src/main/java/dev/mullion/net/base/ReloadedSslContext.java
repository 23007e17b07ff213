package dev.mullion.net.base;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSessionContext;
import org.jspecify.annotations.Nullable;

/**
 * Makes each connection's engine with the newest context. The context as a whole is replaced, not
 * the certificates in it: sessions can be resumed within one context only, so clients that are no
 * longer trusted cannot resume old sessions.
 */
final class ReloadedSslContext extends SslContext {
  private volatile SslContext newest;

  /** If any, it lives as long as connections can be made with this, without other references. */
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

  /** Netty has deprecated it, and gRPC calls it. */
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
