/** The program that a child process runs; main.ts and offload.ts start it. */
import { serveTasks } from "../workers/serve.ts";
import { tasks } from "./tasks.ts";

await serveTasks(tasks);
