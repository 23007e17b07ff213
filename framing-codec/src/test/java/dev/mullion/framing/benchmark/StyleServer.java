package dev.mullion.framing.benchmark;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.tcp.BatchHandler;
import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.framing.tcp.FramedServerBuilder;
import io.netty.buffer.ByteBuf;

/**
 * A server on one event loop for measuring the ways to write a handler: {@code StyleServer <style>
 * <port>}. It answers each frame with itself, in style {@code reverse} with its bytes in reverse.
 */
public final class StyleServer {
  private StyleServer() {}

  /** Serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    FramedServerBuilder builder =
        FramedServer.builder().port(Integer.parseInt(arguments[1])).eventLoopThreads(1);
    switch (arguments[0]) {
      case "blocking" ->
        builder.handler(connection -> {
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        });
      case "batch" -> builder.batchHandler(() -> StyleServer::echo);
      case "reverse" -> builder.batchHandler(Reverser::new);
      case "reactive" ->
        builder.reactiveHandler(
            connection -> connection.publisher().subscribe(connection.subscriber()));
      default ->
        throw new IllegalArgumentException(
            "style: " + arguments[0] + " (expected: blocking, batch, reverse or reactive)");
    }
    try (FramedServer server = builder.start()) {
      server.awaitTermination();
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
  private static final class Reverser implements BatchHandler {
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

    private static void reverse(ByteBuf buffer, int start, int end) {
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
