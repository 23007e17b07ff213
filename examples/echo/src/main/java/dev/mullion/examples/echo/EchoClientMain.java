package dev.mullion.examples.echo;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Sends each line of its input as a frame and prints the reply, so a file can be piped through. */
@Command(
    name = "echo-client",
    showDefaultValues = true,
    description = "Sends each line of standard input as a frame and prints the reply.")
public final class EchoClientMain implements Callable<Integer> {
  private static final int TIMEOUT_MILLIS = 10_000;

  @Option(names = "--host", defaultValue = "127.0.0.1", description = "the server's address")
  private String host;

  @Option(names = "--port", defaultValue = "7000", description = "the server's port")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private EchoClientMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new EchoClientMain()).execute(args));
  }

  @Override
  public Integer call() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(host, port), TIMEOUT_MILLIS);
      socket.setSoTimeout(TIMEOUT_MILLIS);
      socket.setTcpNoDelay(true);
      FrameReader replies = FrameReader.of(socket.getInputStream(), FrameFormat.defaults());
      FrameWriter frames = FrameWriter.of(socket.getOutputStream(), FrameFormat.defaults());
      echo(new BufferedInputStream(System.in), frames, replies, System.out);
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.out.flush();
      System.err.println("echo-client: " + host + ":" + port + ": " + e.getMessage());
      return 1;
    }
  }

  /** Lines are bytes here, in any encoding: what comes out is what went in. */
  private static void echo(
      InputStream lines, FrameWriter frames, FrameReader replies, PrintStream out)
      throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    int read;
    while ((read = lines.read()) >= 0) {
      if (read == '\n') {
        out.write(reply(line.toByteArray(), frames, replies));
        out.write('\n');
        line.reset();
      } else {
        line.write(read);
      }
    }
    if (line.size() > 0) {
      out.write(reply(line.toByteArray(), frames, replies));
    }
    out.flush();
  }

  private static byte[] reply(byte[] frame, FrameWriter frames, FrameReader replies)
      throws IOException {
    frames.write(frame);
    frames.flush();
    byte[] reply = replies.read();
    if (reply == null) {
      throw new IOException("the server closed the connection");
    }
    return reply;
  }
}
