package dev.mullion.examples.echo;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.tcp.EchoServer;
import java.io.IOException;
import java.net.Socket;

/** A server, a client, a frame there and back. */
public final class Hello {
  private Hello() {}

  public static void main(String[] args) throws IOException {
    FrameFormat format = FrameFormat.defaults();
    try (EchoServer server = EchoServer.builder().format(format).start();
        Socket socket = new Socket("127.0.0.1", server.port());
        FrameWriter writer = FrameWriter.of(socket.getOutputStream(), format);
        FrameReader reader = FrameReader.of(socket.getInputStream(), format)) {
      writer.write("hello".getBytes(UTF_8));
      writer.flush();
      System.out.println(new String(reader.read(), UTF_8));
    }
  }
}
