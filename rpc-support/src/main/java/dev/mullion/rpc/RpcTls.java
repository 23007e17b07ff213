package dev.mullion.rpc;

import dev.mullion.net.Tls;
import dev.mullion.net.base.TlsReloader;
import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** TLS for gRPC, which negotiates HTTP/2 by ALPN. */
final class RpcTls {
  private static final String HTTP_2 = "h2";

  private RpcTls() {}

  /** Reads the files of a server. */
  static TlsReloader read(Tls tls, LongAdder failures) throws IOException {
    return read(tls, failures, () -> {});
  }

  /** Reads the files of a channel, or returns {@code null} if it has no TLS. */
  static @Nullable TlsReloader readUnchecked(@Nullable Tls tls, Runnable onFailure) {
    try {
      return tls == null ? null : read(tls, new LongAdder(), onFailure);
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }

  private static TlsReloader read(Tls tls, LongAdder failures, Runnable onFailure)
      throws IOException {
    TlsReloader read = TlsReloader.read(tls, GrpcSslContexts::configure, failures, onFailure);
    if (!offersHttp2(read.newest())) {
      throw new IllegalStateException("tls: the given SslContext does not offer h2 by ALPN"
          + " (expected: one made with GrpcSslContexts)");
    }
    return read;
  }

  /** Netty has deprecated this method, and gRPC calls it. */
  @SuppressWarnings("deprecation")
  private static boolean offersHttp2(SslContext context) {
    return context.applicationProtocolNegotiator().protocols().contains(HTTP_2);
  }
}
