DROP TABLE medic.notification_deliveries;
