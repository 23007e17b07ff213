package dev.mullion.framing.tcp;

import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.TlsReloader;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The TLS of a running server or client. Separate because netty-handler may be absent. */
final class TlsContext implements AutoCloseable {
  /**
   * The most bytes that TLS encrypts into one buffer, as several records. A buffer of up to this
   * size that is flushed alone is encrypted without a copy. During the handshake, Netty would try
   * forever to encrypt more than one record: nothing is written before {@link Link#open}.
   */
  static final int WRAPPED = 64 * 1024;

  private final Tls tls;
  private final TlsReloader reloader;

  private TlsContext(Tls tls, TlsReloader reloader) {
    this.tls = tls;
    this.reloader = reloader;
  }

  /**
   * Reads the files; returns {@code null} without TLS.
   *
   * @throws IllegalStateException if netty-handler is missing
   * @throws IOException if a file cannot be used
   */
  static @Nullable TlsContext of(@Nullable Tls tls, TcpCounters totals) throws IOException {
    if (tls == null) {
      return null;
    }
    Check.present(
        TlsContext.class,
        "tls",
        "io.netty.handler.ssl.SslContext",
        "io.netty:netty-handler",
        "io.netty.handler");
    return new TlsContext(
        tls, TlsReloader.read(tls, UnaryOperator.identity(), totals.tlsReloadsFailed, () -> {}));
  }

  /**
   * Returns the handler of a connection. A client passes the requested host name, not the address
   * it was resolved to.
   */
  SslHandler newHandler(ByteBufAllocator allocator, @Nullable String peerHost, int peerPort) {
    if (peerHost == null && tls.verifiesHostNames()) {
      throw new IllegalStateException("tls: no host name to verify (expected: a host to connect to,"
          + " or withoutHostNameVerification)");
    }
    SslContext context = reloader.newest();
    SslHandler handler = peerHost == null
        ? context.newHandler(allocator)
        : context.newHandler(allocator, peerHost, peerPort);
    long millis = TimeUnit.MILLISECONDS.convert(tls.handshakeTimeout());
    // Netty takes 0 as no limit.
    handler.setHandshakeTimeoutMillis(Math.max(1, millis));
    handler.setWrapDataSize(WRAPPED);
    return handler;
  }

  /** Begins to check the files at intervals. */
  void start() {
    reloader.start();
  }

  boolean reload() throws IOException {
    return reloader.reload();
  }

  TlsState state() {
    return reloader.state();
  }

  @Override
  public void close() {
    reloader.close();
  }
}
