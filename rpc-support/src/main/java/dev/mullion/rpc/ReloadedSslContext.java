package dev.mullion.rpc;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSessionContext;
import org.jspecify.annotations.Nullable;

/**
 * Makes each connection's engine by the newest context. A context as a whole is replaced, not the
 * certificates in it: sessions are continued within one context only, so that whom a new authority does
 * not know has no old session to come back with.
 */
final class ReloadedSslContext extends SslContext {
  private volatile SslContext newest;

  /** If any, it lives as long as connections may be made with this, also when nobody else knows it. */
  @SuppressWarnings({"unused", "FieldCanBeLocal"})
  private final @Nullable Object reloader;

  ReloadedSslContext(SslContext first, @Nullable Object reloader) {
    newest = first;
    this.reloader = reloader;
  }

  void replace(SslContext newer) {
    newest = newer;
  }

  @Override
  public boolean isClient() {
    return newest.isClient();
  }

  @Override
  public List<String> cipherSuites() {
    return newest.cipherSuites();
  }

  /** Netty wants to be asked in another way, gRPC asks in this one. */
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
