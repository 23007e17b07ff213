package dev.mullion.framing.benchmark;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.tcp.BatchHandler;
import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.framing.tcp.FramedServerBuilder;
import dev.mullion.net.Tls;
import io.netty.buffer.ByteBuf;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.util.concurrent.Executors;

/**
 * A server on one event loop for measuring the ways to write a handler: {@code StyleServer <style>
 * <port>}. It answers each frame with itself; in style {@code reverse} it has reversed its bytes
 * twice by then. Style {@code platform} is {@code blocking} on platform threads. In styles {@code
 * tls-jdk} and {@code tls-openssl} it echoes over TLS.
 */
public final class StyleServer {
  private StyleServer() {}

  /** Serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    FramedServerBuilder builder =
        FramedServer.builder().port(Integer.parseInt(arguments[1])).eventLoopThreads(1);
    switch (arguments[0]) {
      case "blocking" -> builder.handler(StyleServer::answer);
      case "platform" ->
        builder.handler(StyleServer::answer).executor(Executors.newCachedThreadPool());
      case "batch" -> builder.batchHandler(() -> StyleServer::echo);
      case "reverse" -> builder.batchHandler(Reverser::new);
      case "reactive" ->
        builder.reactiveHandler(
            connection -> connection.publisher().subscribe(connection.subscriber()));
      case "tls-jdk" ->
        builder.batchHandler(() -> StyleServer::echo).tls(Tls.of(context(SslProvider.JDK)));
      case "tls-openssl" ->
        builder.batchHandler(() -> StyleServer::echo).tls(Tls.of(context(SslProvider.OPENSSL)));
      default ->
        throw new IllegalArgumentException(
            "style: " + arguments[0] + " (expected: blocking, batch, reverse or reactive)");
    }
    try (FramedServer server = builder.start()) {
      System.out.println("listening on " + server.port());
      server.awaitTermination();
    }
  }

  /** Returns a context with a new certificate that signs itself. */
  static SslContext context(SslProvider provider) throws Exception {
    X509Bundle identity = new CertificateBuilder()
        .ecp256()
        .subject("CN=localhost")
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    return SslContextBuilder.forServer(
            identity.getKeyPair().getPrivate(), identity.getCertificate())
        .sslProvider(provider)
        .build();
  }

  private static void answer(FramedConnection connection) throws IOException {
    for (byte[] frame : connection) {
      connection.send(frame);
    }
  }

  private static void echo(FramedConnection connection, FrameBatch batch) {
    for (int i = 0; i < batch.size(); i++) {
      connection.reply(batch.buffer(), batch.offset(i), batch.length(i));
    }
  }

  /**
   * Works on each byte, in place and without an object for a frame. It reverses the bytes twice: a
   * load generator wants back what it has sent.
   */
  static final class Reverser implements BatchHandler {
    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      ByteBuf buffer = batch.buffer();
      for (int i = 0; i < batch.size(); i++) {
        int offset = batch.offset(i);
        int length = batch.length(i);
        reverse(buffer, offset, offset + length);
        reverse(buffer, offset, offset + length);
        connection.reply(buffer, offset, length);
      }
    }

    static void reverse(ByteBuf buffer, int start, int end) {
      int from = start;
      int to = end;
      for (; to - from >= 2 * Long.BYTES; from += Long.BYTES) {
        to -= Long.BYTES;
        long last = buffer.getLong(to);
        buffer.setLong(to, Long.reverseBytes(buffer.getLong(from)));
        buffer.setLong(from, Long.reverseBytes(last));
      }
      for (; to - from >= 2; from++) {
        to--;
        byte last = buffer.getByte(to);
        buffer.setByte(to, buffer.getByte(from));
        buffer.setByte(from, last);
      }
    }
  }
}
