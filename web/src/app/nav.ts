import {
  Activity,
  Ban,
  Bot,
  Globe,
  Hand,
  Inbox,
  KeyRound,
  LayoutDashboard,
  type LucideIcon,
  MailX,
  ScrollText,
  Send,
  Settings,
  Truck,
  Webhook,
} from "lucide-react";
import { useInfo } from "../api/account.ts";

export interface NavItem {
  to: string;
  label: string;
  icon: LucideIcon;
  /** The keys that open it from anywhere, pressed one after the other: `g i`. */
  keys: string;
  /** Its section of the sidebar. */
  group: "Mail" | "Delivery" | "Account";
  /** Only on a server that captures outside mail instead of sending it. */
  capturing?: true;
}

/** The pages in the sidebar, in the palette and behind `g`, in this order. */
export const nav: readonly NavItem[] = [
  { to: "/", label: "Overview", icon: LayoutDashboard, keys: "g o", group: "Mail" },
  { to: "/inbox", label: "Inbox", icon: Inbox, keys: "g i", group: "Mail" },
  { to: "/approvals", label: "Approvals", icon: Hand, keys: "g p", group: "Mail" },
  { to: "/outbox", label: "Outbox", icon: Send, keys: "g s", group: "Mail" },
  { to: "/captured", label: "Captured mail", icon: MailX, keys: "g c", group: "Mail", capturing: true },
  { to: "/agents", label: "Agents", icon: Bot, keys: "g a", group: "Mail" },
  { to: "/webhooks", label: "Webhooks", icon: Webhook, keys: "g w", group: "Delivery" },
  { to: "/deliveries", label: "Deliveries", icon: Truck, keys: "g d", group: "Delivery" },
  { to: "/events", label: "Events", icon: Activity, keys: "g e", group: "Delivery" },
  { to: "/domains", label: "Domains", icon: Globe, keys: "g m", group: "Account" },
  { to: "/keys", label: "Keys and secrets", icon: KeyRound, keys: "g k", group: "Account" },
  { to: "/suppressions", label: "Suppressions", icon: Ban, keys: "g u", group: "Account" },
  { to: "/audit", label: "Audit", icon: ScrollText, keys: "g t", group: "Account" },
  { to: "/settings", label: "Settings", icon: Settings, keys: "g ,", group: "Account" },
];

const withoutCapturing = nav.filter(({ capturing }) => !capturing);

/** The pages that apply to this server. */
export function useNav(): readonly NavItem[] {
  return useInfo().data?.captures_mail ? nav : withoutCapturing;
}
