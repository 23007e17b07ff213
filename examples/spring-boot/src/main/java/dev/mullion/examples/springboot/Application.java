package dev.mullion.examples.springboot;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Runs until Ctrl-C, which closes the context, and with it the servers. */
@SpringBootApplication
public class Application {
  /** For Spring. */
  Application() {}

  public static void main(String[] args) {
    SpringApplication.run(Application.class, args);
  }
}
