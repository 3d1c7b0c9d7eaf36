import { Bot, Inbox, LayoutDashboard, type LucideIcon } from "lucide-react";

export interface NavItem {
  to: string;
  label: string;
  icon: LucideIcon;
  /** Pressed after each other from anywhere: `g i`. */
  keys: string;
  /** Its place in the sidebar. */
  group: "Mail" | "Delivery" | "Account";
}

/** The pages in the sidebar, in the palette and behind `g`, in this order. A page is listed once it works. */
export const nav: readonly NavItem[] = [
  { to: "/", label: "Overview", icon: LayoutDashboard, keys: "g o", group: "Mail" },
  { to: "/inbox", label: "Inbox", icon: Inbox, keys: "g i", group: "Mail" },
  { to: "/agents", label: "Agents", icon: Bot, keys: "g a", group: "Mail" },
];
